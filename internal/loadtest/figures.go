// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A test reports a figure by logging "figure D7: 16.6 MiB ...": the number
// is that of the goal, the text says what was measured, how often, and the bound.
var figureLine = regexp.MustCompile(`figure (D(\d+): .*)`)

type figure struct {
	number int
	text   string
	from   string
}

// figures runs the tests and prints what they report. Packages are ./... unless
// the command line names others.
func figures(ctx context.Context, s *settings, out io.Writer) error {
	packages := s.packages
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	found, failed, err := testFigures(ctx, packages)
	if err != nil {
		return err
	}
	fuzz, err := fuzzTargets(ctx, packages)
	if err != nil {
		return err
	}
	found = append(found, fuzz)
	slices.SortStableFunc(found, func(a, b figure) int { return cmp.Compare(a.number, b.number) })
	for _, f := range found {
		fmt.Fprintf(out, "%s [%s]\n", f.text, f.from)
	}
	fmt.Fprintln(out, "D11: go run ./internal/loadtest clients, and faults")
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// event is what go test -json says.
type event struct {
	Action, Package, Test, Output string
}

func testFigures(ctx context.Context, packages []string) (found []figure, failed []string, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-json"}, packages...)...)
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

func fuzzTargets(ctx context.Context, packages []string) (figure, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-list", "^Fuzz"}, packages...)...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "Fuzz") {
			n++
		}
	}
	return figure{6, fmt.Sprintf("D6: %d fuzz targets; goal 14", n), "go test -list"}, err
}
