"""Parts of the configuration that several jobs read, by what they are about: a verb imports what it reads alone."""
