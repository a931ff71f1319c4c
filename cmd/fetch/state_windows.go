// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"path/filepath"
)

// listenPrivate leaves it to the folder who may connect.
func listenPrivate(path string) (net.Listener, error) { return net.Listen("unix", path) }

// userState is this user's folder for what is not to be shared between machines; empty if there is none.
func userState(env func(string) string) string {
	if dir := env("LocalAppData"); dir != "" {
		return filepath.Join(dir, "waybill", "fetch")
	}
	return ""
}
