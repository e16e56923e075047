# SPDX-License-Identifier: MIT
# One image for the broker, the bots and the Emacs peer; docker-compose.yml says which is which.
# Everything is from Debian and from constraints.txt (pinned, with hashes); nobody is root in it.
ARG DEBIAN=debian:trixie-20260918-slim

FROM ${DEBIAN} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY constraints.txt ./
# What follows the mark is for development.
RUN python3 -m venv /opt/meta-log \
    && sed '/^# --- development/,$d' constraints.txt > wanted.txt \
    && /opt/meta-log/bin/pip install --no-cache-dir --require-hashes -r wanted.txt
COPY pyproject.toml README.md LICENSE ./
COPY federation ./federation
COPY elisp ./elisp
RUN pip=/opt/meta-log/bin/pip \
    && $pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && $pip install --no-cache-dir --no-deps dist/*.whl \
    && ln -s "$(/opt/meta-log/bin/meta-log-peer-sync emacs-path)" /opt/meta-log/elisp

FROM ${DEBIAN}
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates emacs-nox git mosquitto openssl python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 peer \
    && useradd --uid 10001 --gid peer --create-home --home-dir /home/peer \
        --shell /usr/sbin/nologin peer \
    # Volumes begin as these folders are: owned by the peer, closed to others.
    && install -d -o peer -g peer -m 700 \
        /setup /setup/broker /state /state/bot /state/bot3 /state/bot4 /state/bot5 /state/bot6 \
        /home/peer/.emacs.d /home/peer/.emacs.d/meta-log /run/meta-log
COPY --from=build /opt/meta-log /opt/meta-log
ENV PATH=/opt/meta-log/bin:/usr/local/bin:/usr/bin:/usr/sbin:/bin \
    LANG=C.UTF-8 \
    HOME=/home/peer \
    EMACS_SOCKET_NAME=/run/meta-log/emacs
USER 10001:10001
WORKDIR /home/peer
STOPSIGNAL SIGTERM
CMD ["meta-log-peer-sync", "--help"]
