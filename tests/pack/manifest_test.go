package pack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"testing/fstest"

	"pgregory.net/rapid"
)

// remade is the manifest of changed files: a forger's.
func remade(t *rapid.T, pack fstest.MapFS) *fstest.MapFile {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(pack["manifest.json"].Data, &m); err != nil {
		t.Fatal(err)
	}
	var files []map[string]any
	for _, name := range slices.Sorted(maps.Keys(pack)) {
		if name == "manifest.json" {
			continue
		}
		sum := sha256.Sum256(pack[name].Data)
		files = append(files, map[string]any{"path": name, "size": len(pack[name].Data), "sha256": hex.EncodeToString(sum[:])})
	}
	m["files"] = files
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: body}
}
