#!/usr/bin/env bash
# Starts a PostgreSQL and a Redis on loopback, with what an operator would have switched on (fsync, append-only file), and measures the stores.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
postgres=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
as=(); if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=postgres --regid=postgres --clear-groups); chown postgres "$folder"; fi
"${as[@]}" "$postgres/initdb" -D "$folder/pg" -A trust -U postgres >/dev/null
"${as[@]}" "$postgres/postgres" -D "$folder/pg" -p 55987 -k "$folder" -c listen_addresses=127.0.0.1 >/dev/null 2>&1 & pg=$!
redis-server --port 56987 --bind 127.0.0.1 --dir "$folder" --save '' --appendonly yes --appendfsync everysec >/dev/null & redis=$!
trap 'kill $redis; kill -INT $pg; wait || true; rm -rf "$folder"' EXIT
sleep 2
dotnet run -c Release --no-launch-profile --project benchmarks/Resilience.Idempotency.Benchmarks -- \
    --postgresql "Host=127.0.0.1;Port=55987;Username=postgres;Database=postgres;Max Auto Prepare=20" --redis "127.0.0.1:56987,allowAdmin=true" --output benchmarks/results/idempotency.md "$@"
