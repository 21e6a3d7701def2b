package rest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Every fault anywhere in the code has its page: clients follow the type.
func TestEveryFaultHasItsPage(t *testing.T) {
	pages, err := problemPages()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	root := filepath.Join("..", "..")
	for _, dir := range []string{"domain", "app", "ports", "adapters"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if kind, slug, ok := declared(n); ok && kind != "Internal" {
					used[slug] = true
					if _, ok := pages[slug]; !ok {
						t.Errorf("%s declares %s, which problems.md does not explain", path, slug)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	used[errInternal.Slug] = true
	for slug := range pages {
		if !used[slug] {
			t.Errorf("problems.md explains %s, which nothing declares", slug)
		}
	}
}

// declared says whether n is fault.New(fault.Kind, "slug", …).
func declared(n ast.Node) (kind, slug string, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 3 {
		return "", "", false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != "New" {
		return "", "", false
	}
	if x, ok := f.X.(*ast.Ident); !ok || x.Name != "fault" {
		return "", "", false
	}
	k, ok := call.Args[0].(*ast.SelectorExpr)
	if !ok {
		return "", "", false
	}
	lit, ok := call.Args[1].(*ast.BasicLit)
	if !ok {
		return "", "", false
	}
	slug, err := strconv.Unquote(lit.Value)
	return k.Sel.Name, slug, err == nil
}

func TestTheDocumentIsWhatIsServed(t *testing.T) {
	copied, err := os.ReadFile(filepath.Join("..", "..", "docs", "problems.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(copied) != problemsText {
		t.Error("docs/problems.md is not ports/rest/problems.md: run go generate ./ports/rest")
	}
}
