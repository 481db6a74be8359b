package pairing_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"switchboard/internal/pairing"
)

// The table of docs/metrics.md is made from the reasons and their comments.
func TestReasonsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(page), "| Reason | Category | By | Reconnects | When |\n|---|---|---|---|---|\n")
	if want := table(t); got != want {
		t.Errorf("the table of reasons in docs/metrics.md is not\n%s", want)
	}
}

func table(t *testing.T) string {
	comments := reasonComments(t)
	var rows strings.Builder
	for _, r := range pairing.Reasons {
		reconnects := "no"
		if r.AllowReconnect {
			reconnects = "yes"
		}
		comment, ok := comments[r.Code]
		if !ok {
			t.Errorf("%s has no comment", r.Code)
		}
		fmt.Fprintf(&rows, "| `%s` | `%s` | %s | %s | %s |\n", r.Code, r.Category, r.By, reconnects, comment)
	}
	if len(comments) != len(pairing.Reasons) {
		t.Errorf("reason.go declares %d reasons, Reasons has %d", len(comments), len(pairing.Reasons))
	}
	return rows.String()
}

// reasonComments returns what the comment of each reason says behind its name, by code.
func reasonComments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Doc == nil || len(spec.Values) != 1 {
			return true
		}
		_, text, _ := strings.Cut(strings.Join(strings.Fields(spec.Doc.Text()), " "), ": ")
		reason := spec.Values[0].(*ast.UnaryExpr).X.(*ast.CompositeLit)
		code := strings.Trim(reason.Elts[0].(*ast.BasicLit).Value, `"`)
		comments[code] = strings.ToUpper(text[:1]) + text[1:]
		return true
	})
	return comments
}
