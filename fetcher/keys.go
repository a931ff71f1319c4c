// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// signers is who may sign a role, and how many of them must.
type signers struct {
	threshold int64
	keys      []namedKey // those we cannot use are left out
	id        string     // equal for the same keys and threshold, whatever their ids
}

type namedKey struct {
	id string
	publicKey
}

func (s *signers) key(id string) (publicKey, bool) {
	for _, k := range s.keys {
		if k.id == id {
			return k.publicKey, true
		}
	}
	return publicKey{}, false
}

// excludes tells whether s no longer takes what all of the signers before were
// enough for: one of their keys is gone, or more of them are needed. Thieves who had
// enough keys before may not have them now.
func (s *signers) excludes(before *signers) bool {
	if s.threshold > before.threshold {
		return true
	}
	left := map[string]bool{}
	for _, k := range s.keys {
		left[k.material] = true
	}
	for _, k := range before.keys {
		if !left[k.material] {
			return true
		}
	}
	return false
}

// publicKey verifies signatures of one key. Material identifies the key whatever
// record it came in.
type publicKey struct {
	material string
	verify   func(payload, sig []byte) bool
}

// keys checks the shape of all key records, of unknown types too.
func (d *decoder) keys(n *node) {
	for i := range n.members {
		k := &n.members[i].node
		if k.kind != object {
			d.fail("keys", "a key is not an object")
			return
		}
		d.text(k, "keytype")
		d.text(k, "scheme")
		d.object(k, "keyval")
	}
}

// signers reads keyids and threshold of a role. A key that is missing or of a
// kind that we do not know counts for nothing and spoils nothing.
func (d *decoder) signers(role, keys *node) *signers {
	s := &signers{threshold: d.integer(role, "threshold", 1)}
	ids := d.member(role, "keyids", array, true)
	if ids == nil || d.err != nil {
		return s
	}
	var parts []string
	for _, id := range d.texts(ids, "keyids", maxRoleKeys) {
		record := keys.get(id)
		if record == nil {
			parts = append(parts, "id:"+id)
			continue
		}
		if k, ok := parseKey(record); ok {
			s.keys = append(s.keys, namedKey{id, k})
			parts = append(parts, k.material)
		} else {
			parts = append(parts, record.str)
		}
	}
	slices.Sort(parts)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q", s.threshold, slices.Compact(parts)))
	s.id = hex.EncodeToString(sum[:])
	return s
}

func parseKey(record *node) (publicKey, bool) {
	keyval := record.get("keyval")
	public := keyval.get("public")
	if public == nil || public.kind != text {
		return publicKey{}, false
	}
	scheme := record.get("scheme").str
	switch record.get("keytype").str {
	case "ed25519":
		return parseEd25519(public.str, scheme)
	case "ecdsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384":
		return parseECDSA(public.str, scheme)
	case "rsa":
		return parseRSA(public.str, scheme)
	}
	return publicKey{}, false
}

func parseEd25519(public, scheme string) (publicKey, bool) {
	key, err := hex.DecodeString(public)
	if err != nil || len(key) != ed25519.PublicKeySize || scheme != "ed25519" {
		return publicKey{}, false
	}
	return publicKey{"ed25519:" + string(key), func(payload, sig []byte) bool {
		return ed25519.Verify(key, payload, sig)
	}}, true
}

func parseECDSA(public, scheme string) (publicKey, bool) {
	material, parsed := parsePEM(public)
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return publicKey{}, false
	}
	switch {
	case scheme == "ecdsa-sha2-nistp256" && key.Curve == elliptic.P256():
		return publicKey{material, func(payload, sig []byte) bool {
			sum := sha256.Sum256(payload)
			return ecdsa.VerifyASN1(key, sum[:], sig)
		}}, true
	case scheme == "ecdsa-sha2-nistp384" && key.Curve == elliptic.P384():
		return publicKey{material, func(payload, sig []byte) bool {
			sum := sha512.Sum384(payload)
			return ecdsa.VerifyASN1(key, sum[:], sig)
		}}, true
	}
	return publicKey{}, false
}

func parseRSA(public, scheme string) (publicKey, bool) {
	material, parsed := parsePEM(public)
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 || scheme != "rsassa-pss-sha256" {
		return publicKey{}, false
	}
	return publicKey{material, func(payload, sig []byte) bool {
		sum := sha256.Sum256(payload)
		return rsa.VerifyPSS(key, crypto.SHA256, sum[:], sig, nil) == nil
	}}, true
}

// parsePEM returns a key and its DER form, in which equal keys are equal.
func parsePEM(public string) (string, any) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(public)))
	if block == nil {
		return "", nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PublicKey(block.Bytes); err != nil {
			return "", nil
		}
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", nil
	}
	return "der:" + string(der), key
}
