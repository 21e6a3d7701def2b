package api

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"

	"gopkg.in/yaml.v3"
)

//go:embed openapi.yaml schemas
var files embed.FS

// OpenAPI is the HTTP contract as JSON. It costs milliseconds: ask once.
func OpenAPI() ([]byte, error) {
	text, err := files.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	out, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml as JSON: %w", err)
	}
	return out, nil
}

// Schema is the JSON Schema file of that name, such as
// "strategy.drafted.v1.json"; fs.ErrNotExist if there is none.
func Schema(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrNotExist
	}
	return files.ReadFile("schemas/" + name)
}
