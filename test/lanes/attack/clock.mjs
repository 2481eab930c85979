// Loaded into a process under attack: its wall clock jumps by as many milliseconds as its parent says.
const now = Date.now.bind(Date);
const RealDate = Date;
let jumpMs = 0;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(now() + jumpMs);
    else super(...given);
  }
  static now() {
    return now() + jumpMs;
  }
};
process.on('message', (message) => {
  if (typeof message?.jumpMs === 'number') jumpMs = message.jumpMs;
});
process.channel?.unref();
