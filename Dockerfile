# docker build --tag ferflow .                                  TensorFlow for processors
# docker build --build-arg DEVICE=gpu --tag ferflow:gpu .       for NVIDIA GPUs; run it with --gpus all
# docker run --rm --network host --volume "$PWD:/work" ferflow predict image.jpg --bundle bundle.zip
FROM python:3.11-slim-bookworm

# git and make are all that setting up needs; Debian keeps no older versions to pin.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

ARG DEVICE=cpu
WORKDIR /ferflow
COPY . .
RUN make setup DEVICE="$DEVICE" EXTRAS=all && rm -rf ~/.cache

ENV PATH="/ferflow/.venv/bin:$PATH"
WORKDIR /work
ENTRYPOINT ["ferflow"]
CMD ["--help"]
