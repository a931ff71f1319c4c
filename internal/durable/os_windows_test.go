// SPDX-License-Identifier: Apache-2.0

package durable_test

import "golang.org/x/sys/windows"

const errNoLinks = windows.ERROR_NOT_SUPPORTED
