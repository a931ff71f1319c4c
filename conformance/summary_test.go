// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// TestSummary prints the counts of cases and how our client and the stock updater
// fare, by family:
//
//	go test ./conformance -v -run Summary
func TestSummary(t *testing.T) {
	ours, stock := waybillResults(), goTUFResults()
	type row struct{ cases, beyond, ours, stock, stockBeyond int }
	rows := map[string]*row{}
	var names []string
	total := &row{}
	for i, r := range ours {
		if rows[r.Family] == nil {
			rows[r.Family] = &row{}
			names = append(names, r.Family)
		}
		for _, n := range []*row{rows[r.Family], total} {
			n.cases++
			n.beyond += count(r.Beyond)
			n.ours += count(r.err == nil)
			n.stock += count(stock[i].err == nil)
			n.stockBeyond += count(r.Beyond && stock[i].err != nil)
		}
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "family\tcases\tbeyond spec\twaybill passes\tgo-tuf 2.4.2 passes\tfails\tof them beyond spec\t")
	rows["total"] = total
	for _, name := range append(names, "total") {
		n := rows[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, n.cases, n.beyond, n.ours, n.stock, n.cases-n.stock, n.stockBeyond)
	}
	w.Flush()
	t.Logf("\n%s", &b)
	if total.cases < 400 {
		t.Errorf("%d cases", total.cases)
	}
	t.Logf("figure D9: %d named repositories (%d about names, %d about HTTP, %d about damaged state), of which waybill passes %d and go-tuf 2.4.2 %d; bounds 400 cases and all of them",
		total.cases, rows["names"].cases, rows["wire"].cases, rows["damage"].cases, total.ours, total.stock)
	known := faultsOfGoTUF()
	t.Logf("figure D10: %d cases for published and silent faults of go-tuf (%s), of which waybill passes %d and go-tuf 2.4.2 fails %d; bound all",
		known.cases, strings.Join(known.advisories, ", "), known.ours, known.cases-known.stock)
}

var advisory = regexp.MustCompile(`go-tuf [^;]*`)

type faults struct {
	cases, ours, stock int
	advisories         []string
}

// faultsOfGoTUF counts the cases that were made for a fault of go-tuf.
func faultsOfGoTUF() (f faults) {
	stock := goTUFResults()
	for i, r := range waybillResults() {
		named := strings.Join(advisory.FindAllString(r.Source, -1), " ")
		if named == "" {
			continue
		}
		f.cases++
		f.ours += count(r.err == nil)
		f.stock += count(stock[i].err == nil)
		for _, id := range regexp.MustCompile(`CVE-[0-9-]+|GHSA-[0-9a-z-]+`).FindAllString(named, -1) {
			if !slices.Contains(f.advisories, id) {
				f.advisories = append(f.advisories, id)
			}
		}
	}
	slices.Sort(f.advisories)
	return f
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
