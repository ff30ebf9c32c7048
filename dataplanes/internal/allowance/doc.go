// Package allowance says what the system lets this process and its children have:
// memory and descriptors. What becomes of that is not its business.
package allowance
