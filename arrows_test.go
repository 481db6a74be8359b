package switchboard_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// ARCHITECTURE.md lists every package with the packages of the project that it
// imports. This test fails when the list and the code differ.
func TestArrows(t *testing.T) {
	want, layers := documented(t)
	got := imported(t)
	for pkg, imports := range got {
		if _, ok := want[pkg]; !ok {
			t.Errorf("%s is not in the list of ARCHITECTURE.md", pkg)
		} else if !slices.Equal(imports, want[pkg]) {
			t.Errorf("%s imports\n\t%s\nARCHITECTURE.md says\n\t%s", pkg, strings.Join(imports, " "), strings.Join(want[pkg], " "))
		}
		for _, other := range imports {
			if layers[other] > layers[pkg] {
				t.Errorf("%s imports %s, which lies above it", pkg, other)
			}
		}
	}
	for pkg := range want {
		if _, ok := got[pkg]; !ok {
			t.Errorf("ARCHITECTURE.md lists %s, which does not exist", pkg)
		}
	}
}

// documented reads the block of arrows: the imports of each package, and the
// number of its layer, which grows from the wire to the programs.
func documented(t *testing.T) (imports map[string][]string, layers map[string]int) {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```arrows\n")
	block, _, _ = strings.Cut(block, "```")
	if !found {
		t.Fatal("ARCHITECTURE.md has no block of arrows")
	}
	imports, layers = map[string][]string{}, map[string]int{}
	layer := 0
	for line := range strings.Lines(block) {
		if !strings.HasPrefix(line, " ") {
			layer++
			continue
		}
		pkg, list, _ := strings.Cut(line, "→")
		pkg = strings.TrimSpace(pkg)
		imports[pkg], layers[pkg] = slices.Sorted(slices.Values(strings.Fields(list))), layer
	}
	return imports, layers
}

// imported asks the go command, leaving out tests and packages without code.
func imported(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Module,GoFiles", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
			GoFiles    []string
			Module     struct{ Path string }
		}
		err := dec.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		own := pkg.Module.Path + "/"
		if len(pkg.GoFiles) == 0 || pkg.ImportPath == pkg.Module.Path {
			continue
		}
		imports := []string{}
		for _, path := range pkg.Imports {
			if rest, ok := strings.CutPrefix(path, own); ok {
				imports = append(imports, rest)
			}
		}
		slices.Sort(imports)
		got[strings.TrimPrefix(pkg.ImportPath, own)] = imports
	}
}
