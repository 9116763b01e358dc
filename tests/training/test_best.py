import numpy as np

from training import best


def test_the_best_checkpoint_is_kept_and_all_evaluations_are_recorded(data, tmp_path, monkeypatch):
    seen = []
    for accuracy, loss in ((0.5, 2.0), (0.7, 1.0), (0.6, 0.5), (0.7, 1.5), (0.7, 0.9)):
        step = len(seen)
        result = {
            "accuracy": np.float32(accuracy),
            "loss": np.float32(loss),
            "global_step": np.int64(step),
        }
        for ending in ("index", "data-00000-of-00001", "meta"):
            (tmp_path / f"model.ckpt-{step}.{ending}").write_text(f"{step} {ending}")
        checkpoint = str(tmp_path / f"model.ckpt-{step}")
        since = best.add_evaluation(str(tmp_path), result, checkpoint=checkpoint)
        kept = best.best_checkpoint(str(tmp_path))
        seen.append((since, kept.rpartition("-")[2]))
    assert seen == [(0, "0"), (0, "1"), (1, "1"), (2, "1"), (0, "4")]
    assert (tmp_path / "best/model.ckpt-4.index").read_text() == "4 index"
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == [
        "checkpoint",
        "model.ckpt-4.data-00000-of-00001",
        "model.ckpt-4.index",
    ]
    recorded = best.read_evaluations(str(tmp_path))
    assert [round(line["loss"], 3) for line in recorded] == [2.0, 1.0, 0.5, 1.5, 0.9]
