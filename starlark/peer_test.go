package starlark

import "go.starlark.net/lib/json"

var peerJSON = json.Module
