// SPDX-License-Identifier: Apache-2.0

// Command selfupdate shows how an updater that exists gets verified bytes: the
// fetcher finds and checks the newest release, minio/selfupdate puts it in place.
//
// A real program embeds root.json (go:embed), knows its own version and platform,
// and leaves TargetPath empty, which means the running program.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"

	"github.com/minio/selfupdate"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/repo/release"
)

// update replaces the program at path if its channel has something newer than
// version, and says what it did or why it did nothing.
func update(ctx context.Context, root []byte, source fetcher.Source, state, path, version string) (string, error) {
	client, err := fetcher.New(root, state, source, nil)
	if err != nil {
		return "", err
	}
	if err := client.Refresh(ctx); err != nil {
		return "", err
	}
	have, platform := release.Installed{Version: version}, runtime.GOOS+"-"+runtime.GOARCH
	artifact, choice, err := client.Newest(ctx, "app", "stable", platform, have, release.Want{})
	if err != nil || artifact == nil {
		return choice.Reason, err
	}
	verified := filepath.Join(state, "verified")
	defer os.Remove(verified)
	if err := client.Download(ctx, artifact, verified); err != nil {
		return "", err
	}
	return "updated to " + choice.Release.Version, apply(verified, path, artifact.Hashes["sha256"])
}

// apply hands the verified file over. The checksum guards it on its way.
func apply(verified, path, sha256 string) error {
	checksum, err := hex.DecodeString(sha256)
	if err != nil {
		return err
	}
	f, err := os.Open(verified)
	if err != nil {
		return err
	}
	defer f.Close()
	return selfupdate.Apply(f, selfupdate.Options{TargetPath: path, Checksum: checksum})
}

func main() {
	url := flag.String("url", "http://127.0.0.1:8080", "of the repository")
	rootFile := flag.String("root", "root.json", "first root of the repository")
	state := flag.String("state", ".", "private folder for what was verified")
	path := flag.String("path", "", "program to replace (default: this one)")
	version := flag.String("version", "", "of that program")
	flag.Parse()
	root, err := os.ReadFile(*rootFile)
	if err != nil {
		log.Fatal(err)
	}
	source, err := fetcher.NewHTTPSource(*url, nil)
	if err != nil {
		log.Fatal(err)
	}
	done, err := update(context.Background(), root, source, *state, *path, *version)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done)
}
