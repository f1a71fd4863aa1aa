// The frame at the cursor: the last one taken before it.
class FrameScreen {
  constructor(canvas, media) {
    Object.assign(this, { canvas, media, shown: -1, wanted: -1, reading: false });
    canvas.width = media.width;
    canvas.height = media.height;
    this.context = canvas.getContext("2d");
  }

  /** Draw the frame of a time; returns its place, or -1 before the first. */
  draw(us) {
    this.wanted = lastAtOrBefore(this.media.times, us);
    if (this.wanted !== this.shown && !this.reading) this.show();
    return this.wanted;
  }

  async show() {
    this.reading = true;
    while (this.wanted !== this.shown) {
      const place = this.wanted;
      if (place < 0) {
        this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      } else {
        const blob = new Blob([bytesOf(this.media.images[place])], { type: "image/jpeg" });
        const image = await createImageBitmap(blob);
        this.context.drawImage(image, 0, 0, this.canvas.width, this.canvas.height);
        image.close();
      }
      this.shown = place;
    }
    this.reading = false;
  }

  /** Let the grey levels of nearly all pixels fill the range: v → (v − low) / (high − low). */
  stretch(on) {
    const [low, high] = [this.media.low / 255, this.media.high / 255];
    // The style's two steps are v·b and (v − ½)·c + ½; these are the b and c whose product and shift are that line.
    const bright = 1 / (high + low);
    const steep = 1 + (2 * low) / (high - low);
    this.canvas.style.filter = on ? `brightness(${bright}) contrast(${steep})` : "";
  }
}
