"""Publishing: archives of what was built or converted go to a channel of a team, and nothing there is overwritten."""
