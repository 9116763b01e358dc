# All programs and what they need, for a CPU or for NVIDIA GPUs:
#
#   docker build --tag drawings .
#   docker build --tag drawings-gpu --build-arg EXTRA=and-cuda .
#
# No data is inside; mount a folder, and run any program of the project:
#
#   docker run --rm --volume "$PWD/data:/data" drawings \
#     python create_dataset.py --ndjson_path=/data/ndjson --output_path=/data/records
#   docker run --rm --gpus all --volume "$PWD/data:/data" drawings-gpu \
#     python train_model.py --flagfile=recipes/gpu.flags --model_dir=/data/runs/1 ...

FROM python:3.13-slim

# Of TensorFlow's extras: nothing for a CPU, and-cuda for a GPU.
ARG EXTRA=""

# To write to a mounted folder, run with --user "$(id -u):$(id -g)".
RUN useradd --create-home --uid 1000 drawings
ENV HOME=/home/drawings

WORKDIR /app
COPY requirements.txt .
RUN sed -i "s/^tensorflow==/tensorflow[$EXTRA]==/" requirements.txt \
  && pip install --no-cache-dir --requirement requirements.txt
COPY . .

USER drawings
CMD ["python", "train_model.py", "--help"]
