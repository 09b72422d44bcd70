#!/bin/sh
# A real Apache Kafka on this machine: fetched once, then run in the foreground until Ctrl-C.
# PORT=9093 deploy/kafka/kafka.sh listens elsewhere.
set -eu
exec "${PYTHON:-python3}" "$(dirname "$0")/broker.py" run "${PORT:-9092}"
