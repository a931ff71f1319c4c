// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/waybill-project/waybill/keys"
)

func Example() {
	priv, err := keys.Generate(keys.Ed25519)
	if err != nil {
		panic(err)
	}
	sealed, err := keys.Encrypt(priv, []byte("correct horse battery staple"))
	if err != nil {
		panic(err)
	}
	_, err = keys.Decrypt(sealed, []byte("guess"))
	fmt.Println(errors.Is(err, keys.ErrPassphrase))
	// Output: true
}

func ExampleRecord() {
	pub := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public()
	record, err := keys.Record(pub)
	if err != nil {
		panic(err)
	}
	id, err := keys.ID(record)
	if err != nil {
		panic(err)
	}
	fmt.Println(record.Type, record.Scheme)
	fmt.Println(id)
	// Output:
	// ed25519 ed25519
	// 4cc3f338069d638e761ed397f5c53df4129a276face46a446c202617331ca1b3
}
