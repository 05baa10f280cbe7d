#!/usr/bin/env bats
# Whole swaps behind each kind of load balancer: what each can do is told, and what it loses is no more than
# docs/load-balancers.md says.

load helper
load swap-helper

setup_file() {
  eval "$("$BATS_TEST_DIRNAME/../../lab/env")"
  "$BATS_TEST_DIRNAME/../../lab/balancers"
}

# Another load balancer in the place of the lab's. Usage: in_front IMAGE VOLUMES, of the service lb
in_front() {
  sed -i 's/^BOOT_MS=.*/BOOT_MS=200/' .env
  cat >compose.override.yaml <<EOF
services:
  lb:
    image: $1
    ports: !override ["127.0.0.1:\${LB_PORT}:3000", "127.0.0.1:\${LB_STATS_PORT}:2019"]
    volumes: !override $2
EOF
  docker compose up -d --quiet-pull 2>/dev/null
  it_serves
}

# A balancer that has just started answers 503 until it has found its servers.
it_serves() {
  for _ in {1..100}; do
    curl -fs -m 2 -o /dev/null "$TG_LAB_URL/v1/health/ready" && return
    sleep 0.1
  done
  docker compose logs lb
  return 1
}

nginx_in_front() {
  mkdir -p nginx/tg
  echo 'server api:3000;' >nginx/tg/api.upstream
  cat >nginx/nginx.conf <<'EOF'
worker_shutdown_timeout 5m;
events {}
http {
  access_log off;
  upstream api {
    zone api 64k;
    include /etc/nginx/tg/api.upstream;
  }
  server {
    listen 3000;
    location / { proxy_pass http://api; }
  }
}
EOF
  in_front tg-lab/nginx:trixie '["./nginx/nginx.conf:/etc/nginx/nginx.conf:ro", "./nginx/tg:/etc/nginx/tg:ro"]'
}

answered_by() { # VERSION
  for _ in {1..20}; do
    same "$1" "$(curl -fsS -o /dev/null -D - "$TG_LAB_URL/v1/features?limit=1" | tr -d '\r' | sed -n 's/^x-version: //Ip')" || return 1
  done
}

# There and back as a flip, there again for good, and back as a swap; all requests on connections of their own.
there_and_back() {
  load_begins --fresh 1
  gives 0 tg-swap --to 1.4.1
  same "$1" "$(result data.balancer)"
  answered_by 1.4.1
  gives 0 tg-swap rollback
  answered_by 1.4.0
  gives 0 tg-swap --to 1.4.1 --keep 0s
  answered_by 1.4.1
  nothing_to_do
  gives 0 tg-swap rollback
  answered_by 1.4.0
  nothing_to_do
}

# bats test_tags=long
@test "behind HAProxy whose runtime API is a unix socket nothing is lost" {
  mkdir run
  sed -i 's|^ *stats socket .*|    stats socket /run/tg/admin.sock level admin|' haproxy/haproxy.cfg
  in_front tg-lab/haproxy:3.0 '["./haproxy:/etc/haproxy:ro", "./run:/run/tg"]'
  docker compose restart -t 1 lb
  it_serves
  export TG_BALANCER='{"haproxy": "./run/admin.sock", "state": "./haproxy/servers.state"}'
  there_and_back haproxy
  nothing_failed
}

# bats test_tags=long
@test "behind nginx nothing on a connection of its own is lost, and the reloads are told" {
  nginx_in_front
  export TG_BALANCER='{"nginx": "lb", "include": "./nginx/tg/api.upstream"}'
  there_and_back nginx
  nothing_failed
  gives 0 tg-swap --to 1.4.1 --keep 0s
  printed '.type == "warning" and .data.code == "reload"'
  same null "$(result data.evidence)"
  # It counts nothing: a canary's judge alone tells.
  gives 0 tg-swap rollback
  gives 10 tg-swap --to 1.4.1 --canary 10%
  same no-count "$(result data.error.code)"
  gives 4 tg-swap --to 1.4.1 --canary 10% --for 2s --judge false
  gives 0 tg-swap --to 1.4.1 --canary 10% --for 2s --judge true
}

# bats test_tags=long
@test "behind Caddy a reload may cost a connection, and no write that was acknowledged" {
  mkdir caddy
  cat >caddy/caddy.json <<'EOF'
{"admin": {"listen": ":2019"}, "apps": {"http": {"servers": {"api": {
  "listen": [":3000"],
  "routes": [{"handle": [{"@id": "api", "handler": "reverse_proxy", "upstreams": [{"dial": "api:3000"}]}]}]
}}}}}
EOF
  in_front tg-lab/caddy:2.11 '["./caddy:/etc/caddy:ro"]'
  export TG_BALANCER="{\"caddy\": \"http://$TG_LAB_STATS\"}"
  there_and_back caddy
  load_ends
  [[ $TOTAL -gt 200 && $FAILED -le $((TOTAL / 100)) ]] || { jq -c '{total, failed, failures}' "$BATS_TEST_TMPDIR/load"; return 1; }
  gives 6 tg-swap --to 2.0.0
  gives 10 tg-swap --to 1.4.1 --canary 10%
  same no-share "$(result data.error.code)"
}

# bats test_tags=long
@test "a program of one's own leads a balancer of any kind" {
  nginx_in_front
  cat >balancer <<'EOF'
#!/bin/sh
set -eu
pool=nginx/tg/api.upstream
case $1 in
assign)
  jq -r '.[] | select(.duty == "serve") | "server \(.instance.name):\(.instance.port);"' >pool.new
  cp pool.new $pool
  docker exec tg-lab-lb-1 nginx -s reload 2>/dev/null
  sleep 0.5
  ;;
look) jq --rawfile pool $pool '[.[] | {name, takes_new: ("server \(.name):\(.port);" as $it | $pool | split("\n") | any(. == $it))}]' ;;
*) exit 127 ;;
esac
EOF
  chmod +x balancer
  export TG_BALANCER='{"exec": "./balancer"}'
  there_and_back exec
  nothing_failed
}
