package trial

import "time"

// SetDrainWait has trials give up what is on its way after d.
func SetDrainWait(d time.Duration) { drainWait = d }
