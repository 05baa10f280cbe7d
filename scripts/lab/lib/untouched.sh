# shellcheck shell=bash
# Summary: whether anybody has touched the lab since it was reset: its containers, its balancer, its database, its images.
# Usage: sourced after lib/common.sh
#
# The files of the stack are not looked at: they are written anew by every reset.

UNTOUCHED="$TG_LAB_DIR/untouched"

lab_state() {
  lab_containers | xargs -r docker inspect -f '{{.Id}} {{.State.Status}} {{.State.StartedAt}}' | sort
  docker images --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' "$REGISTRY/*" | sort
  docker exec -i "$(service_container db)" psql -X -q -At -U "$DB_USER" -d postgres <<'SQL'
-- Whoever writes takes a transaction identifier; a setting of the server takes none.
SELECT pg_snapshot_xmax(pg_current_snapshot());
SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf';
SELECT slot_name FROM pg_replication_slots;
SQL
  # Name, address, states and weight of each server, without the times since.
  (
    exec 3<>"/dev/tcp/127.0.0.1/$LB_STATS_PORT"
    printf 'show servers state api\n' >&3
    timeout 2 cat <&3
  ) | cut -d ' ' -f 4-8
}

remember_untouched() { lab_state >"$UNTOUCHED" 2>/dev/null || rm -f "$UNTOUCHED"; }

is_untouched() { [[ -s "$UNTOUCHED" && "$(lab_state 2>/dev/null)" == "$(<"$UNTOUCHED")" ]]; }
