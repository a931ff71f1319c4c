// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"fmt"
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
	if total.cases < 300 {
		t.Errorf("%d cases", total.cases)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
