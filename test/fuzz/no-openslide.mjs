// In the place of OpenSlide's process: a machine without the library.
process.on('disconnect', () => process.exit());
process.on('message', () => process.send({ type: 'refused', why: 'is not installed' }));
