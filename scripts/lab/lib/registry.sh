# shellcheck shell=bash
# Summary: the lab's registry, and the application's versions in it.
# Usage: sourced after lib/common.sh, lib/apt.sh and lib/images.sh
#
# The registry's data live in the lab directory: they are the cache that spares a warm start ten builds. The manifests
# are kept beside it, so that a tag which a test moved or deleted can be put back without a build.

REGISTRY_DIR="$TG_LAB_DIR/registry"
# Which of the two is pushed depends on how the engine stores images.
MANIFEST_TYPES="application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
API="http://127.0.0.1:$REGISTRY_PORT/v2"

registry_answers() { curl -fs -m 2 -o /dev/null "$API/"; }

start_registry() {
  local hash current
  hash="$(image_hash tg-lab/registry:2)-$REGISTRY_PORT-$REGISTRY_DIR"
  current="$(docker container inspect -f '{{index .Config.Labels "tg.lab.registry"}}' "$REGISTRY_CONTAINER" 2>/dev/null || true)"
  if [[ "$current" != "$hash" ]]; then
    docker rm -f "$REGISTRY_CONTAINER" >/dev/null 2>&1 || true
    mkdir -p "$REGISTRY_DIR/data" "$REGISTRY_DIR/manifests"
    # As the owner of the lab directory, so that the same person can delete it again.
    quietly docker run -d --name "$REGISTRY_CONTAINER" --restart unless-stopped --label "$LABEL" --label "tg.lab.registry=$hash" \
      --user "$(id -u):$(id -g)" -p "127.0.0.1:$REGISTRY_PORT:5000" -v "$REGISTRY_DIR/data:/var/lib/registry" tg-lab/registry:2 ||
      fail "the registry could not be started" "is port $REGISTRY_PORT taken? set TG_LAB_REGISTRY_PORT"
  fi
  docker unpause "$REGISTRY_CONTAINER" >/dev/null 2>&1 || true
  docker start "$REGISTRY_CONTAINER" >/dev/null
  wait_for 20 registry_answers || fail "the registry does not answer on port $REGISTRY_PORT" "docker logs $REGISTRY_CONTAINER"
}

fetch_manifest() {
  curl -fsS -m 10 -H "Accept: $MANIFEST_TYPES" -o "$REGISTRY_DIR/manifests/$1.json" "$API/$REPOSITORY/manifests/$1"
}

tag_digest() {
  curl -fsI -m 10 -H "Accept: $MANIFEST_TYPES" "$API/$REPOSITORY/manifests/$1" 2>/dev/null |
    tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'
}

saved_digest() {
  printf 'sha256:%s\n' "$(sha256sum <"$REGISTRY_DIR/manifests/$1.json" | cut -d ' ' -f 1)"
}

# Every blob of every version, asked for in one go.
blobs_complete() {
  jq -r --arg url "$API/$REPOSITORY/blobs/" '(.config, .layers[]) | $url + .digest' "$REGISTRY_DIR"/manifests/*.json | sort -u |
    awk '{ printf "url = \"%s\"\noutput = /dev/null\n", $0 }' | curl -fsI -m 20 --fail-early -K - >/dev/null 2>&1
}

# Puts every tag back where the build put it. Fails when the registry has lost more than tags.
restore_tags() {
  local version file
  for version in "${VERSIONS[@]}"; do
    [[ -s "$REGISTRY_DIR/manifests/$version.json" ]] || return 1
  done
  blobs_complete || return 1
  for version in "${VERSIONS[@]}"; do
    [[ "$(tag_digest "$version")" != "$(saved_digest "$version")" ]] || continue
    say "putting tag $version back"
    file="$REGISTRY_DIR/manifests/$version.json"
    curl -fs -m 10 -o /dev/null -X PUT -H "Content-Type: $(jq -r .mediaType "$file")" --data-binary "@$file" \
      "$API/$REPOSITORY/manifests/$version" || return 1
  done
}

publish_version() {
  local version="$1" image="$REGISTRY/$REPOSITORY:$1"
  build_image --label "$LABEL" --label tg.lab.image=app --build-arg "VERSION=$version" -t "$image" "$LAB_SRC/app" || return 1
  quietly docker push "$image" || return 1
  fetch_manifest "$version"
}

app_hash() {
  inputs_hash "$LAB_SRC/app" "$(image_hash tg-lab/node:trixie)" "${VERSIONS[@]}"
}

# Builds and pushes what the registry doesn't have.
ensure_published() {
  local version hash
  hash="$(app_hash)"
  if [[ "$(cat "$REGISTRY_DIR/app-hash" 2>/dev/null)" == "$hash" ]] && restore_tags; then
    return
  fi
  rm -f "$REGISTRY_DIR/app-hash" "$REGISTRY_DIR"/manifests/*
  for version in "${VERSIONS[@]}"; do
    say "publishing $REPOSITORY $version"
    publish_version "$version" || fail "$REPOSITORY $version could not be published"
  done
  printf '%s\n' "$hash" >"$REGISTRY_DIR/app-hash"
  forget_versions unused
}

# Removes the local images of versions that don't run, so that a pull is a pull. Usage: forget_versions unused|all
forget_versions() {
  local ids used id tags keep="$REGISTRY/$REPOSITORY:$START_VERSION"
  # One that goes away meanwhile uses nothing.
  used="$({ docker ps -aq | xargs -r docker inspect -f '{{.Image}}' 2>/dev/null || :; } | sort -u)"
  ids="$(docker images -q --no-trunc --filter label=tg.lab.image=app | sort -u)"
  for id in $ids; do
    if [[ "$1" == unused ]] && grep -qxF "$id" <<<"$used"; then
      # In use: lose only names that belong to another version.
      tags="$(docker image inspect -f '{{join .RepoTags "\n"}}' "$id" | grep -vxF "$keep" || true)"
      [[ "$(docker image inspect -f '{{join .RepoTags "\n"}}' "$id")" == *"$keep"* ]] || continue
      xargs -r docker rmi >/dev/null 2>&1 <<<"$tags" || true
    else
      docker rmi -f "$id" >/dev/null 2>&1 || true
    fi
  done
}

# A local START_VERSION that is not the published one (a test built or tagged its own) must not come up again.
forget_wrong_start_image() {
  local image="$REGISTRY/$REPOSITORY:$START_VERSION" digests
  digests="$(docker image inspect -f '{{join .RepoDigests "\n"}}' "$image" 2>/dev/null)" || return 0
  [[ "$digests" == *"$(saved_digest "$START_VERSION")"* ]] || docker rmi -f "$image" >/dev/null
}
