// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"fmt"
	"log"

	"github.com/waybill-project/waybill/conformance"
)

func ExampleCases() {
	cases, err := conformance.Cases()
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range cases {
		if c.Name == "timestamp_rolled_back" {
			last := c.Steps[len(c.Steps)-1]
			fmt.Println(c.Shows)
			fmt.Println(last.Verb, "must fail:", last.Expect)
		}
	}
	// Output:
	// A timestamp older than the stored one is refused.
	// refresh must fail: rollback
}
