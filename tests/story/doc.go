// Package story tells docs/story.md with the real binary and over public
// interfaces only: an agency's quarterly number comes in over RabbitMQ and
// misses its target, a finding is raised and assigned, the strategy goes on hold,
// the owner remediates, somebody else closes, and the strategy resumes. Every
// step is looked at from where people look: the board, the histories with their
// causes, the journal, and the queue of another team.
package story
