// SPDX-License-Identifier: Apache-2.0

// Package crashtest cuts the client off: the trust store, downloads, installations and whole updates run on
// the file system of package crashfs, every state that a crash could leave is checked and healed, and the same is
// done with known bugs put in, which must be found. TestPowerCut does it to real ext4 and XFS. It has no code of its
// own; docs/crash.md says what holds and how to run it.
package crashtest
