// Package api holds the contracts other programs rely on, and serves them as
// they are: openapi.yaml for HTTP, and schemas/<type>.v<n>.json, one JSON Schema
// per event type and version, which are never edited once released.
package api
