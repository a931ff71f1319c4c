// SPDX-License-Identifier: Apache-2.0

package generate

func families() []family {
	return []family{basic(), absence(), damage(), expiry(), rollback(), mixture(), recovery(), rotation(), signing(), keyRecords(), shape(), hashing(), naming(), delegation(), software(), wire()}
}
