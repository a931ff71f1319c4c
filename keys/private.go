// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// ErrPassphrase reports a passphrase that is wrong, or empty where a key is made.
var ErrPassphrase = errors.New("passphrase not accepted")

// ErrPermissions reports a private key file that the group or others may access.
var ErrPermissions = errors.New("private key file is open to others")

const oldEncryptedType = "ENCRYPTED COSIGN PRIVATE KEY"

// Encrypt returns priv as one PEM block "ENCRYPTED SIGSTORE PRIVATE KEY". An empty
// passphrase is refused with [ErrPassphrase]. It takes about 64 MiB and 0.2 s.
func Encrypt(priv crypto.Signer, passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrPassphrase)
	}
	if err := checkPrivate(priv); err != nil {
		return nil, err
	}
	der, err := cryptoutils.MarshalPrivateKeyToEncryptedDER(priv, cryptoutils.StaticPasswordFunc(passphrase))
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	return cryptoutils.PEMEncode(cryptoutils.EncryptedSigstorePrivateKeyPEMType, der), nil
}

// Decrypt opens what [Encrypt] or cosign wrote. A wrong passphrase gives
// [ErrPassphrase], as does a file altered under its cipher: the two look the same.
// An empty passphrase is tried like any other, because cosign allows it.
func Decrypt(pemBytes, passphrase []byte) (crypto.Signer, error) {
	envelope, err := openEnvelope(pemBytes)
	if err != nil {
		return nil, err
	}
	der, err := encrypted.Decrypt(envelope, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w: it is wrong, or the file was altered", ErrPassphrase)
	}
	defer clear(der)
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: decrypted, but %w", ErrUnsupported, err)
	}
	priv, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %T cannot sign", ErrUnsupported, key)
	}
	if err := checkPrivate(priv); err != nil {
		return nil, err
	}
	return priv, nil
}

// CheckPrivate reports, without a passphrase, whether pemBytes has the form that
// [Decrypt] reads. An unencrypted private key is refused with [ErrUnsupported].
func CheckPrivate(pemBytes []byte) error {
	_, err := openEnvelope(pemBytes)
	return err
}

// ReadPrivate reads an encrypted private key file, still encrypted. On Unix a file
// that the group or others may read, write or run is refused with [ErrPermissions]
// and left as it is; Windows has no such bits and none are checked there.
func ReadPrivate(path string) ([]byte, error) {
	data, err := readRegular(path, private)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return data, nil
}

// WritePrivate writes an encrypted private key to a new file with mode 0600, and
// flushes file and folder. It never overwrites: an existing path gives [os.ErrExist].
func WritePrivate(path string, pem []byte) error {
	if err := CheckPrivate(pem); err != nil {
		return fmt.Errorf("private key %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	if err = fill(f, pem); err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		// Half a key must not pass for one; the name was ours alone since O_EXCL.
		return fmt.Errorf("private key: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

type file interface {
	io.WriteCloser
	Sync() error
}

func fill(f file, data []byte) error {
	n, err := f.Write(data)
	if err == nil && n != len(data) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func checkPrivate(priv crypto.Signer) error {
	if priv == nil {
		return fmt.Errorf("%w: no key", ErrUnsupported)
	}
	pub := priv.Public()
	if _, ok := pub.(*rsa.PublicKey); ok {
		return fmt.Errorf("%w: RSA private key (use %s or %s)", ErrUnsupported, Ed25519, ECDSA)
	}
	return check(pub)
}

// openEnvelope returns the JSON envelope of an encrypted key once its form is known to
// be right, so that what can still go wrong afterwards is the passphrase.
func openEnvelope(pemBytes []byte) ([]byte, error) {
	block, err := onlyBlock(pemBytes)
	if err != nil {
		return nil, err
	}
	switch {
	case block.Type == string(cryptoutils.EncryptedSigstorePrivateKeyPEMType), block.Type == oldEncryptedType:
		return block.Bytes, checkEnvelope(block.Bytes)
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, fmt.Errorf("%w: PKCS #8 encryption (import the key with cosign import-key-pair)", ErrUnsupported)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, fmt.Errorf("%w: private key that is not encrypted (PEM type %q; cosign import-key-pair encrypts it)", ErrUnsupported, block.Type)
	}
	return nil, fmt.Errorf("%w: PEM type %q is not a private key", ErrUnsupported, block.Type)
}

func checkEnvelope(data []byte) error {
	var e struct {
		KDF struct {
			Name   string `json:"name"`
			Params struct{ N, R, P int }
			Salt   []byte `json:"salt"`
		} `json:"kdf"`
		Cipher struct {
			Name  string `json:"name"`
			Nonce []byte `json:"nonce"`
		} `json:"cipher"`
		Ciphertext []byte `json:"ciphertext"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("%w: malformed envelope: %w", ErrUnsupported, err)
	}
	n := e.KDF.Params.N
	switch {
	case e.KDF.Name != "scrypt", n != 1<<15 && n != 1<<16 && n != 1<<17, e.KDF.Params.R != 8, e.KDF.Params.P != 1:
		return fmt.Errorf("%w: key derivation %q with unknown parameters", ErrUnsupported, e.KDF.Name)
	case e.Cipher.Name != "nacl/secretbox", len(e.Cipher.Nonce) != 24, len(e.Ciphertext) == 0:
		return fmt.Errorf("%w: malformed cipher %q", ErrUnsupported, e.Cipher.Name)
	}
	return nil
}
