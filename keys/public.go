// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// maxFile bounds every key file, in bytes; the largest honest one is under 8 KiB.
const maxFile = 64 << 10

const beginMark = "-----BEGIN "

// ParsePublic reads a public key from one PEM block "PUBLIC KEY" of at most 64 KiB.
// White space around the block is allowed, anything else is not.
func ParsePublic(data []byte) (crypto.PublicKey, error) {
	block, err := onlyBlock(data)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, fmt.Errorf("%w: %q where a public key is expected", ErrUnsupported, block.Type)
	}
	if block.Type != string(cryptoutils.PublicKeyPEMType) {
		return nil, fmt.Errorf("%w: PEM type %q, want %q", ErrUnsupported, block.Type, cryptoutils.PublicKeyPEMType)
	}
	pub, err := cryptoutils.UnmarshalPEMToPublicKey(pem.EncodeToMemory(block))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err := check(pub); err != nil {
		return nil, err
	}
	return pub, nil
}

// ReadPublic reads a public key file; see [ParsePublic] for what it may hold.
func ReadPublic(path string) (crypto.PublicKey, error) {
	data, err := readRegular(path, nil)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	pub, err := ParsePublic(data)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", path, err)
	}
	return pub, nil
}

// EncodePublic returns pub as one PEM block "PUBLIC KEY".
func EncodePublic(pub crypto.PublicKey) ([]byte, error) {
	if err := check(pub); err != nil {
		return nil, err
	}
	return cryptoutils.MarshalPublicKeyToPEM(pub)
}

// onlyBlock refuses what pem.Decode skips in silence: text before the block, malformed
// blocks, headers, and whatever follows.
func onlyBlock(data []byte) (*pem.Block, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrUnsupported, len(data), maxFile)
	}
	text := bytes.TrimSpace(data)
	if !bytes.HasPrefix(text, []byte(beginMark)) {
		return nil, fmt.Errorf("%w: not a PEM block", ErrUnsupported)
	}
	if bytes.Count(text, []byte(beginMark)) != 1 {
		return nil, fmt.Errorf("%w: more than one PEM block", ErrUnsupported)
	}
	block, rest := pem.Decode(append(text[:len(text):len(text)], '\n'))
	switch {
	case block == nil:
		return nil, fmt.Errorf("%w: malformed PEM block", ErrUnsupported)
	case len(block.Headers) != 0:
		return nil, fmt.Errorf("%w: PEM block with headers", ErrUnsupported)
	case len(bytes.TrimSpace(rest)) != 0:
		return nil, fmt.Errorf("%w: text after the PEM block", ErrUnsupported)
	}
	return block, nil
}

// readRegular reads at most maxFile bytes of a regular file. permit judges the file
// that was opened, not the name.
func readRegular(path string, permit func(os.FileInfo) error) ([]byte, error) {
	// Before opening: a pipe would block here.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if permit != nil {
		if err := permit(info); err != nil {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = &os.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: over %d bytes", ErrUnsupported, maxFile)}
	}
	return data, err
}
