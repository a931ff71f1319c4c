// SPDX-License-Identifier: Apache-2.0

package main

import "path/filepath"

// userState is this user's folder for what is not to be shared between machines; empty if there is none.
func userState(env func(string) string) string {
	if dir := env("LocalAppData"); dir != "" {
		return filepath.Join(dir, "waybill", "fetch")
	}
	return ""
}
