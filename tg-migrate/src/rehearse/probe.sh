# What a container of the rehearsal can reach, one a line: closed HOST PORT, answered HOST PORT [MARK], door PATH, done.
# Arguments: name of the sessions, role, database, then hosts and ports. Each server that answers is left with an open session.
application=$1 role=$2 database=$3
shift 3

# Where PostgreSQL's packages put their programs.
for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin; do
  if [ -d "$bin" ]; then PATH=$PATH:$bin; fi
done
export PATH PGAPPNAME="$application" PGCONNECT_TIMEOUT=5
command -v pg_isready >/dev/null && command -v psql >/dev/null && command -v find >/dev/null || exit 127

ask() { psql -X -A -t -q -w -h "$1" -p "$2" -U "$role" -d "$database" -c "$3" </dev/null 2>/dev/null; }

try() {
  code=0
  pg_isready -q -t 5 -h "$1" -p "$2" || code=$?
  if [ "$code" -eq 2 ]; then
    printf 'closed %s %s\n' "$1" "$2"
    return
  fi
  printf 'answered %s %s %s\n' "$1" "$2" "$(ask "$1" "$2" "SELECT pg_catalog.current_setting('tg.rehearsal', true)")"
  ask "$1" "$2" 'SELECT pg_catalog.pg_sleep(60)' >/dev/null 2>&1 &
}

tries=
while [ $# -gt 1 ]; do
  try "$1" "$2" &
  tries="$tries $!"
  shift 2
done
doors=$(find / \( -path /proc -o -path /sys -o -path /dev \) -prune -o \( -type s -o -type p -o -type b -o -type c \) -print) || exit 1
for path in $doors; do
  case $path in
  */.s.PGSQL.*) try "${path%/*}" "${path##*.}" ;;
  esac
  printf 'door %s\n' "$path"
done
# shellcheck disable=SC2086 # a list
wait $tries
printf 'done\n'
