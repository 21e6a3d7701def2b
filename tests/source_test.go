package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ban is a call that no code of the repository makes, outside the places named.
type ban struct {
	receiver, method string // time.Sleep; an empty receiver's method is not looked for
	where            func(path string) bool
	reason           string
	excusable        bool // a comment on the line, or "scenario" in the function's comment, says why
}

var bans = []ban{
	{
		receiver: "time", method: "Sleep",
		where:     func(path string) bool { return isTest(path) },
		reason:    "a test that sleeps is slow on a fast machine and wrong on a slow one: wait for the condition (testenv.Eventually), or say on the line why time itself is the scenario",
		excusable: true,
	},
	{
		receiver: "rows", method: "Next",
		where:  func(path string) bool { return !strings.HasPrefix(path, "adapters/postgres/consumer/") },
		reason: "a loop that does not ask rows.Err() takes a lost connection for the end of the data: use pgx.CollectRows",
	},
}

func isTest(path string) bool {
	return strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "tests/") || strings.Contains(path, "test/")
}

// calls finds the calls of the ban in a file's syntax.
func (b ban) calls(f *ast.File) (found []token.Pos) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || method.Sel.Name != b.method {
			return true
		}
		if receiver, ok := method.X.(*ast.Ident); ok && receiver.Name == b.receiver {
			found = append(found, call.Pos())
		}
		return true
	})
	return found
}

// excused says whether the line of pos, or the function around it, gives the reason.
func excused(fset *token.FileSet, f *ast.File, pos token.Pos) bool {
	for _, group := range f.Comments {
		if group.Pos() > pos && fset.Position(group.Pos()).Line == fset.Position(pos).Line {
			return true
		}
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Pos() <= pos && pos < fn.End() {
			return strings.Contains(fn.Doc.Text(), "scenario")
		}
	}
	return false
}

func TestBannedCalls(t *testing.T) {
	files, fset := 0, token.NewFileSet()
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		files++
		f, err := parser.ParseFile(fset, filepath.Join("..", path), nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		for _, b := range bans {
			if !b.where(path) {
				continue
			}
			for _, pos := range b.calls(f) {
				if b.excusable && excused(fset, f, pos) {
					continue
				}
				t.Errorf("%s calls %s.%s: %s", fset.Position(pos), b.receiver, b.method, b.reason)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Fatalf("read %d files: %v", files, err)
	}
}

func TestBannedCallsAreFound(t *testing.T) {
	const source = `package x
func f() {
	time.Sleep(1)
	for rows.Next() {
	}
	time.Now().Sleep()
	iterator.Next()
}`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "x_test.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bans {
		if got := len(b.calls(f)); got != 1 {
			t.Errorf("%s.%s is found %d times in a file that calls it once", b.receiver, b.method, got)
		}
		if b.excusable {
			for _, pos := range b.calls(f) {
				if excused(fset, f, pos) {
					t.Errorf("%s.%s without a reason is excused", b.receiver, b.method)
				}
			}
		}
		if !b.where("app/command/execute_test.go") {
			t.Errorf("%s.%s is allowed in tests", b.receiver, b.method)
		}
	}
}
