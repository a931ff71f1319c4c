// SPDX-License-Identifier: Apache-2.0

// Package archtest holds the tests that keep the package map of docs/design.md
// true: who may import whom, and what the endpoint's program may link.
package archtest
