"""A process's place in a cluster.

A cluster comes from the environment variable TF_CONFIG, as Kubeflow's TFJob and managed training
services set it in every process:

    {"cluster": {"chief": ["host:port"], "worker": ["host:port", ...]},
     "task": {"type": "worker", "index": 0}}

The evaluator is a task that is no member of the cluster.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping

from common.errors import UserError

TASKS = ("chief", "worker", "evaluator")


@dataclasses.dataclass(frozen=True)
class Task:
    """This process's place among those that train together.

    Attributes:
      type: one of TASKS; a process without a cluster is a chief.
      index: its number among those of its type.
      num_workers: processes that train, the chief included.
      worker: its number among them, from 0.
    """

    type: str = "chief"
    index: int = 0
    num_workers: int = 1
    worker: int = 0

    def __str__(self) -> str:
        return f"{self.type} {self.index}"

    @property
    def is_chief(self) -> bool:
        """Whether it writes checkpoints and summaries."""
        return self.trains and self.worker == 0

    @property
    def trains(self) -> bool:
        return self.type in ("chief", "worker")


def read_task(distribution: str, environment: Mapping[str, str] = os.environ) -> Task:
    """This process's task by TF_CONFIG, checked against the strategy.

    Raises:
      UserError: TF_CONFIG is not what the strategy needs.
    """
    text = environment.get("TF_CONFIG", "")
    if distribution in ("none", "mirrored"):
        if text and json_cluster(text)[0]:
            raise UserError(
                f"TF_CONFIG describes a cluster, but --distribution={distribution} trains on one "
                "machine; give --distribution=multi_worker, or unset TF_CONFIG"
            )
        return Task()
    if not text:
        raise UserError(
            f"--distribution={distribution} needs a cluster in TF_CONFIG, which is not set; "
            "scripts/local_cluster tries one out on this machine, docs/cluster.md says more"
        )
    cluster, kind, index = json_cluster(text)
    if kind not in TASKS:
        raise UserError(f"TF_CONFIG: task type {kind!r}; expected one of {', '.join(TASKS)}")
    if kind != "evaluator" and not 0 <= index < len(cluster.get(kind, ())):
        raise UserError(f"TF_CONFIG: the cluster has no {kind} {index}")
    if len(cluster.get("chief", ())) > 1:
        raise UserError("TF_CONFIG: the cluster has several chiefs; there is one")
    if cluster.get("ps"):
        raise UserError(
            "TF_CONFIG: the cluster has a ps; synchronous training needs no parameter servers, "
            "only a chief and workers"
        )
    chiefs, workers = len(cluster.get("chief", ())), len(cluster.get("worker", ()))
    if not chiefs + workers:
        raise UserError("TF_CONFIG: the cluster has neither chief nor worker")
    worker = index + (chiefs if kind == "worker" else 0)
    return Task(kind, index, chiefs + workers, worker if kind in ("chief", "worker") else 0)


def json_cluster(text: str) -> tuple[dict[str, list[str]], str, int]:
    """Returns the cluster of TF_CONFIG, and the task's type and index.

    Raises:
      UserError: the text is something else.
    """
    try:
        config = json.loads(text)
        task = config.get("task", {})
        cluster = dict(config.get("cluster", {}))
        kind, index = str(task.get("type", "chief")), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"TF_CONFIG is not a cluster in JSON ({error}): {text}") from None
    for name, hosts in cluster.items():
        if not isinstance(hosts, list) or not all(map(_is_address, hosts)):
            raise UserError(
                f'TF_CONFIG: {name} is {json.dumps(hosts)}; expected a list such as ["host:2222"]'
            )
    return cluster, kind, index


def _is_address(host: object) -> bool:
    return isinstance(host, str) and bool(re.fullmatch(r".+:\d{1,5}", host))


def own_address() -> str:
    """Returns the host and port that TF_CONFIG gives this process."""
    cluster, kind, index = json_cluster(os.environ.get("TF_CONFIG", "{}"))
    return cluster[kind][index]


@contextlib.contextmanager
def without_cluster() -> Iterator[None]:
    """Where Estimator is to do something by itself: it reads TF_CONFIG wherever it starts."""
    text = os.environ.pop("TF_CONFIG", None)
    try:
        yield
    finally:
        if text is not None:
            os.environ["TF_CONFIG"] = text
