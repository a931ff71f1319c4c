// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// everyChange are the figures that a change is held against. D11 to D13 take longer, and D16 is
// what continuous integration runs anyway.
var everyChange = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 17}

// A test reports a figure by logging "figure D7: 16.6 MiB ...": the number
// is that of the goal, the text says what was measured, how often, and the bound.
var figureLine = regexp.MustCompile(`figure (D(\d+): .*)`)

type figure struct {
	number int
	text   string
	from   string
}

// figures runs the tests that report figures, one package after the other so that they do
// not disturb each other, and prints what they say. Packages are all that have such
// tests unless the command line names others.
func figures(ctx context.Context, s *settings, out io.Writer) error {
	all, err := listPackages(ctx, s.packages)
	if err != nil {
		return err
	}
	var found []figure
	var failed []string
	for _, p := range all {
		got, bad, err := p.figures(ctx)
		if err != nil {
			return err
		}
		found, failed = append(found, got...), append(failed, bad...)
	}
	fuzz, bad := fuzzing(ctx, all, s.fuzz)
	found, failed = append(found, fuzz), append(failed, bad...)
	slices.SortStableFunc(found, func(a, b figure) int { return cmp.Compare(a.number, b.number) })
	for _, f := range found {
		fmt.Fprintf(out, "%s [%s]\n", f.text, f.from)
	}
	return complain(found, failed, len(s.packages) == 0)
}

func complain(found []figure, failed []string, all bool) error {
	for _, n := range everyChange {
		if all && !slices.ContainsFunc(found, func(f figure) bool { return f.number == n }) {
			failed = append(failed, fmt.Sprintf("D%d was not measured", n))
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// goPackage is what go list says, and which functions of its tests do what.
type goPackage struct {
	Dir, ImportPath           string
	TestGoFiles, XTestGoFiles []string

	reporting, fuzz []string
}

func listPackages(ctx context.Context, patterns []string) ([]goPackage, error) {
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json=Dir,ImportPath,TestGoFiles,XTestGoFiles"}, patterns...)...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if err := p.read(); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// read finds the tests that report figures, and the fuzz targets.
func (p *goPackage) read() error {
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			switch {
			case !ok || f.Recv != nil:
			case strings.HasPrefix(f.Name.Name, "Fuzz"):
				p.fuzz = append(p.fuzz, f.Name.Name)
			case strings.HasPrefix(f.Name.Name, "Test") && reports(f):
				p.reporting = append(p.reporting, f.Name.Name)
			}
		}
	}
	return nil
}

func reports(f *ast.FuncDecl) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(lit.Value, `"figure D`) {
			found = true
		}
		return !found
	})
	return found
}

// event is what go test -json says.
type event struct {
	Action, Package, Test, Output string
}

func (p *goPackage) figures(ctx context.Context) (found []figure, failed []string, err error) {
	if len(p.reporting) == 0 {
		return nil, nil, nil
	}
	run := "^(" + strings.Join(p.reporting, "|") + ")$"
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=30m", "-json", "-run", run, p.ImportPath)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var e event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return found, failed, nil
		} else if err != nil {
			return nil, nil, err
		}
		from := e.Package[strings.LastIndexByte(e.Package, '/')+1:] + "." + e.Test
		switch match := figureLine.FindStringSubmatch(e.Output); {
		case match != nil:
			n, _ := strconv.Atoi(match[2])
			found = append(found, figure{n, match[1], from})
		case e.Action == "fail":
			failed = append(failed, from)
		}
	}
}

// fuzzing counts the fuzz targets, and runs each for some time if that is wanted.
func fuzzing(ctx context.Context, all []goPackage, each time.Duration) (figure, []string) {
	n := 0
	var failed []string
	for _, p := range all {
		for _, name := range p.fuzz {
			if n++; each <= 0 {
				continue
			}
			cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-fuzz=^"+name+"$", "-fuzztime="+each.String(), "-fuzzminimizetime=1s", p.ImportPath)
			if text, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "%s", text)
				failed = append(failed, name)
			}
		}
	}
	how := "not run here (-fuzz 30s)"
	if each > 0 {
		how = fmt.Sprintf("%s each, %d failed", each, len(failed))
	}
	return figure{6, fmt.Sprintf("D6: %d fuzz targets, %s; bounds 14 and 0", n, how), "go test -fuzz"}, failed
}
