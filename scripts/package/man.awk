# A procedure's header, without its number signs, as a manual page: Summary, Usage and its further lines, paragraphs,
# options two columns apart, exit codes between semicolons. What mawk does not know (intervals) is not used.

function text(line) {
  gsub(/\\/, "\\e", line)
  gsub(/-/, "\\-", line)
  if (line ~ /^[.']/) line = "\\&" line
  return line
}

function section(title) {
  if (title != now) print ".SH " title
  else if (gap) print ".PP"
  now = title
  gap = 0
}

# The command is called otherwise than the script; what is below its first argument stays there.
function usage(line) {
  if (index(line, script) == 1) line = name substr(line, length(script) + 1)
  else line = sprintf("%" length(name) - length(script) "s", "") line
  print text(line)
}

function item(term, meaning) {
  print ".TP\n.B " text(term)
  if (meaning != "") print text(meaning)
}

function exit_codes(list, each, count, i) {
  sub(/\.$/, "", list)
  count = split(list, each, /; */)
  for (i = 1; i <= count; i++) {
    if (each[i] ~ /^[0-9]/) item(substr(each[i], 1, index(each[i], " ") - 1), substr(each[i], index(each[i], " ") + 1))
    else print ".PP\n" text(each[i])
  }
}

BEGIN { print ".TH " name " 1 \"\" \"tg " version "\" tg" }

/^Summary: / { section("NAME"); print text(name " - " substr($0, 10)); next }

/^Usage: / { section("SYNOPSIS"); print ".nf"; usage(substr($0, 8)); next }
now == "SYNOPSIS" && /^       / { usage(substr($0, 8)); next }
now == "SYNOPSIS" { print ".fi"; now = "" }

/^$/ { gap = 1; next }

/^Exit codes: / { section("EXIT STATUS"); codes = substr($0, 13); next }
now == "EXIT STATUS" && !gap { codes = codes " " $0; next }

/^  [^ ].*  / || /^  -/ {
  section(/^  -/ || now == "OPTIONS" ? "OPTIONS" : "DESCRIPTION")
  $0 = substr($0, 3)
  if (match($0, /   *[^ ]/)) item(substr($0, 1, RSTART - 1), substr($0, RSTART + RLENGTH - 1))
  else item($0)
  next
}
now == "OPTIONS" && /^  / { sub(/^ +/, ""); print text($0); next }

{ section("DESCRIPTION"); sub(/^ +/, ""); print text($0) }

END {
  if (codes != "") exit_codes(codes)
  print ".SH SEE ALSO\n.BR tg\\-swap (1),\n.BR tg\\-backup (1),\n.BR tg\\-migrate (1),\n.BR tg\\-health (1),\n.BR tg\\-vacuum (1)"
}
