// SPDX-License-Identifier: Apache-2.0

package testserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // registers s3://
)

const (
	bucketName = "releases"
	accessKey  = "testkey"
	secretKey  = "testsecret"
)

// S3 gives an s3:// URL of an empty bucket on a versitygw, and the folder in
// which the objects lie as ordinary files.
func S3(t testing.TB) (url, dir string) {
	t.Helper()
	return s3(t, "http", nil)
}

// S3TLS is S3 over TLS, where the SDK frames its uploads differently.
func S3TLS(t testing.TB) (url, dir string) {
	t.Helper()
	cert, key := certificate(t)
	t.Setenv("AWS_CA_BUNDLE", cert)
	return s3(t, "https", []string{"--cert", cert, "--key", key})
}

func s3(t testing.TB, protocol string, extra []string) (url, dir string) {
	t.Helper()
	path := program(t, "WAYBILL_TEST_VERSITYGW", "versitygw",
		"go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	nowhere := filepath.Join(t.TempDir(), "absent")
	for name, value := range map[string]string{
		"ROOT_ACCESS_KEY": accessKey, "ROOT_SECRET_KEY": secretKey,
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere,
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	root := t.TempDir()
	address := start(t, path, func(host, port string) []string {
		args := append([]string{"--port", net.JoinHostPort(host, port), "--region", "us-east-1", "--quiet"}, extra...)
		return append(args, "posix", root)
	})
	url = "s3://" + bucketName + "?endpoint=" + protocol + "://" + address + "&region=us-east-1&use_path_style=true"
	makeS3Bucket(t, url)
	return url, filepath.Join(root, bucketName)
}

func makeS3Bucket(t testing.TB, url string) {
	t.Helper()
	ctx := context.Background()
	b, err := blob.OpenBucket(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var client *awss3.Client
	if !b.As(&client) {
		t.Fatal("no S3 client")
	}
	name := bucketName
	if _, err := client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("create bucket: %v", err)
	}
}

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "waybill test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return writePEM(t, dir, "cert.pem", "CERTIFICATE", der), writePEM(t, dir, "key.pem", "PRIVATE KEY", secret)
}

func writePEM(t testing.TB, dir, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
