// SPDX-License-Identifier: Apache-2.0

// Package endtoend holds the acceptance tests: they build the two programs as
// they are shipped and run them as child processes, on folders, on a real S3
// server, over HTTP, under kill -9, with too little disk and memory, and on
// real releases. It has no code of its own.
//
// releases.sh fetches the real releases. TestRealReleases finds them through the
// variable WAYBILL_RELEASES; without it the test fetches them itself if the
// variable CI is true, and is skipped otherwise. With -short the tests of kill -9
// take every ninth point only, and the large artifact is left out.
package endtoend
