"""One process of a cluster in the tests: trains with batches that are a whole epoch of its part,
and prints the loss of each step to the last digit.

    python tests/training/cluster_task.py DISTRIBUTION BATCH_SIZE STEPS MODEL_DIR CLASSES FILE...
"""

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import sys

import input_pipeline
import model
from records import class_list
from training import distribution, hooks, run, tf_config


class PreciseProgress(hooks.ProgressHook):
    def _print_line(self, loss: float) -> None:
        print(f"loss {loss:.8f}", flush=True)


if __name__ == "__main__":
    kind, batch_size, steps, model_dir, classes_file, *files = sys.argv[1:]
    tf.compat.v1.disable_eager_execution()
    hooks.ProgressHook, hooks.PROGRESS_SECONDS = PreciseProgress, 0.0
    input_pipeline.POOL_BATCHES = 1
    classes = class_list.read_classes(classes_file)
    task = tf_config.read_task(kind)
    run.train(
        run.Run(
            training_files=files,
            eval_files=files,
            classes=classes,
            params=model.HParams(
                num_classes=len(classes),
                num_layers=1,
                num_nodes=6,
                num_conv=(6,),
                conv_len=(3,),
                learning_rate=0.02,
                dropout=0.0,
                gradient_clipping_norm=0.5,
                weight_decay=0.5,
                label_smoothing=0.1,
                positions=True,
            ),
            model_dir=model_dir,
            steps=int(steps),
            batch_size=int(batch_size),
            save_checkpoints_steps=1000,
            keep_checkpoint_max=1,
            eval_throttle_secs=1000,
            seed=0,
            task=task,
            cluster_timeout_secs=60,
        ),
        run.Execution(distribution.make_strategy(kind) if task.trains else None),
    )
