// Package engine gives tests a DynamoDB: real engines as processes of their own
// on this machine, and faults on the way to them.
//
// Two engines, because they are wrong in different places: dynoxide is the
// closer to the real one, dynalite the older and plainer. `make engines`
// installs both, at the versions pinned here, into the user's cache folder. A
// test that lacks one is skipped and says why; with CI=true in the environment
// it fails.
//
// A test binary shares one process of each engine, and every test has a table of
// its own. TestMain calls [Main], which ends the processes:
//
//	func TestMain(m *testing.M) { os.Exit(engine.Main(m)) }
//
// Neither engine throttles, loses a reply or conflicts with a transaction:
// [Faults] does, as an http.RoundTripper.
package engine
