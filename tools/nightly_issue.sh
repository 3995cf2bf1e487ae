#!/bin/sh
# Keeps one open issue while nightly runs fail: opened by the first failure, brought up to date by the next ones, closed
# by a night that passes.
#   nightly_issue.sh STATUS URL      STATUS as GitHub calls a job's: success, failure or cancelled
# Needs `gh` with a token that may write issues.
set -eu
status=$1 url=$2
title="The nightly run fails"
summary=build/nightly/summary.md
body=$(mktemp)
trap 'rm -f "$body"' EXIT

open=$(gh issue list --state open --search "\"$title\" in:title" --limit 20 --json number,title \
    --jq "[.[] | select(.title == \"$title\")][0].number // empty")

if [ "$status" = success ]; then
    [ -z "$open" ] || gh issue close "$open" --comment "The night passed: $url"
    exit 0
fi

{
    echo "The page with everything is the artifact \`nightly-page\` of $url"
    echo
    if [ -s "$summary" ]; then cat "$summary"; else echo "The run ended before it could say what failed."; fi
} > "$body"
if [ -z "$open" ]; then
    gh issue create --title "$title" --body-file "$body"
else
    # the text says what fails now; the comment tells those who follow the issue
    gh issue edit "$open" --body-file "$body"
    gh issue comment "$open" --body "Failed again: $url"
fi
