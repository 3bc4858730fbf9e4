package client

import "testing"

// Each planted bug is found by the random histories, else they prove nothing.
// (RebaseUnchecked is TestForgottenDevice's to find.)
func TestChaosFindsPlantedBugs(t *testing.T) {
	for name, faults := range map[string]Faults{
		"VerdictDropsPendingEarly": {VerdictDropsPendingEarly: true},
		"AckBeforePersist":         {AckBeforePersist: true},
		"LocalBeforePersist":       {LocalBeforePersist: true},
		"PushBeforePersist":        {PushBeforePersist: true},
		"ForgetSent":               {ForgetSent: true},
		"SnapshotWithoutCounter":   {SnapshotWithoutCounter: true},
		"SkipHashCheck":            {SkipHashCheck: true},
		"ReorderPush":              {ReorderPush: true},
		"DropRejected":             {DropRejected: true},
		"SkipGapCheck":             {SkipGapCheck: true},
		"CursorBeforeState":        {CursorBeforeState: true},
		"BaseOfHead":               {BaseOfHead: true},
		"ReplaceDeviceKeepsChain":  {ReplaceDeviceKeepsChain: true},
		"KeepSettled":              {KeepSettled: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(500) {
				if wrong := chaos(t, seed, faults); len(wrong) > 0 {
					t.Logf("seed %d: %.200s", seed, wrong[0])
					return
				}
			}
			t.Error("not found within 500 seeds")
		})
	}
}
