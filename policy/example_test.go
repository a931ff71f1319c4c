// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/waybill-project/waybill/policy"
)

func ExampleRead() {
	p, err := policy.Read("testdata/good.yaml")
	if err != nil {
		panic(err)
	}
	root := p.Roles["root"]
	fmt.Println(root.Threshold, "of", root.Keys, "for", root.Expires)
	// Output: 2 of [alice bob carol] for 8760h0m0s
}

func ExampleParse_error() {
	_, err := policy.Parse("waybill.yaml", []byte("schema: 1\nroles: {}\ntimeout: 3\n"))
	fmt.Println(err)
	// Output: waybill.yaml:3: unknown field "timeout" in the policy (known: schema, root, keys, roles, delegations, products, deltas, retention)
}

func ExamplePolicy_Check() {
	p, err := policy.Read("testdata/good.yaml")
	if err != nil {
		panic(err)
	}
	root := metadata.Root(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)).Signed
	root.Keys, root.Roles = p.RootRoles()
	root.Roles["root"].Threshold = 1
	root.Roles["root"].KeyIDs = root.Roles["root"].KeyIDs[:2]
	for _, v := range p.Check(&root, nil) {
		fmt.Println(v)
	}
	// Output:
	// root: threshold is 1, want 2
	// root: lacks key carol (8bf5a507dc23)
	// root: lists key carol (8bf5a507dc23), which no role uses
}

func ExampleSetRoot() {
	text := "schema: 1\nroot: # written by init\n"
	fingerprint := "4cc3f338069d638e761ed397f5c53df4129a276face46a446c202617331ca1b3"
	edited, err := policy.SetRoot([]byte(text), fingerprint)
	if err != nil {
		panic(err)
	}
	fmt.Print(string(edited))
	// Output:
	// schema: 1
	// root: 4cc3f338069d638e761ed397f5c53df4129a276face46a446c202617331ca1b3 # written by init
}
