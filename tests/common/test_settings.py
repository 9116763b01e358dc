import dataclasses
import json

import pytest
from absl import flags

import model
from common import settings
from model_folder import description


@dataclasses.dataclass(frozen=True)
class Oven(settings.Settings):
    dishes: int
    minutes: int = settings.setting(45, "Minutes to bake.", at_least=1, at_most=600)
    heat: float = settings.setting(180.0, "Degrees Celsius.", above=0)
    share: float = settings.setting(0.5, "How full it is.", at_least=0, below=1)
    fan: bool = settings.setting(False, "Whether air is moved.")
    shelf: str = settings.setting("middle", "Where.", choices=("top", "middle"))
    name: str = settings.setting("", "What it is called.")
    racks: tuple[int, ...] = settings.setting((1, 3), "Racks in use.", at_least=1)


@dataclasses.dataclass(frozen=True)
class Kitchen(Oven):
    sink: bool = settings.setting(True, "Whether there is one.")


def flags_of(cls, *arguments: str) -> dict:
    values = flags.FlagValues()
    settings.define_flags(cls, flag_values=values)
    values(["program", *arguments])
    return settings.from_flags(cls, flag_values=values)


def test_flags_are_the_settings():
    assert Oven(dishes=1, **flags_of(Oven)) == Oven(1)
    given = flags_of(
        Kitchen,
        "--minutes=50",
        "--heat=1e2",
        "--share=0",
        "--fan",
        "--shelf=top",
        "--name=Ada",
        "--racks=[2, 4]",
        "--nosink",
    )
    expected = Kitchen(2, 50, 100.0, 0.0, True, "top", "Ada", (2, 4), sink=False)
    assert Kitchen(dishes=2, **given) == expected


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"minutes": 0}, "minutes=0: expected at least 1 and at most 600"),
        ({"minutes": 601}, "minutes=601: expected at least 1 and at most 600"),
        ({"heat": 0.0}, "heat=0.0: expected above 0"),
        ({"heat": float("nan")}, "heat=nan: expected a number that float32 holds"),
        ({"heat": float("inf")}, "heat=inf: expected a number that float32 holds"),
        ({"heat": 3.5e38}, r"heat=3.5e\+38: expected a number that float32 holds"),
        ({"share": 1.0}, "share=1.0: expected at least 0 and below 1"),
        ({"share": -0.1}, "share=-0.1: expected at least 0 and below 1"),
        ({"shelf": "bottom"}, "shelf=bottom: expected one of top, middle"),
        ({"racks": (1, 0)}, r"racks=\(1, 0\): expected numbers of at least 1"),
    ],
)
def test_values_out_of_bounds_are_refused(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Kitchen(1, **wrong)


def test_bounds_themselves_are_where_they_are_said_to_be():
    Kitchen(1, minutes=1, heat=3.4e38, share=0.0)
    Kitchen(1, minutes=600, share=0.999)


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--minutes=0", r"an integer in the range \[1, 600\]"),
        ("--minutes=1.5", "minutes"),
        ("--shelf=bottom", "<top|middle>"),
        ("--racks=1,,2", "expected integers such as 48,64,96, not '1,,2'"),
        ("--heat=0", "flag --heat=0.0: expected above 0"),
        ("--heat=nan", "flag --heat=nan: expected a number that float32 holds"),
        ("--racks=0,3", r"flag --racks=\(0, 3\): expected numbers of at least 1"),
    ],
)
def test_flags_that_make_no_sense_are_refused_as_they_are_parsed(argument, message):
    with pytest.raises(flags.Error, match=message):
        flags_of(Oven, argument)


@pytest.mark.parametrize(
    "text, integers",
    [
        ("48,64,96", (48, 64, 96)),
        ("[48, 64, 96]", (48, 64, 96)),
        ("(48,)", (48,)),
        ("[]", ()),
        ("48,,64", None),
        ("48,64,,", None),
        ("48,x", None),
        ("4.5", None),
    ],
)
def test_integers_are_read_as_the_tutorial_writes_them(text, integers):
    parser = settings.IntegersParser()
    if integers is None:
        with pytest.raises(ValueError, match="expected integers such as 48,64,96"):
            parser.parse(text)
    else:
        assert parser.parse(text) == integers


def test_a_new_hyper_parameter_is_one_field(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class HParams(model.HParams):
        momentum: float = settings.setting(0.9, "Share kept of a step.", at_least=0, below=1)

    values = flags.FlagValues()
    settings.define_flags(HParams, flag_values=values)
    shown = values.get_help()
    assert "--momentum: Share kept of a step.\n    (default: '0.9')" in shown
    values(["program", "--momentum=0.5"])
    params = HParams(num_classes=3, **settings.from_flags(HParams, flag_values=values))
    assert params.momentum == 0.5
    with pytest.raises(ValueError, match="momentum=1.0: expected at least 0 and below 1"):
        dataclasses.replace(params, momentum=1.0)
    description.write_description(str(tmp_path), params=params, classes=["ant", "bee", "cat"])
    assert json.loads((tmp_path / "hparams.json").read_text())["momentum"] == 0.5
