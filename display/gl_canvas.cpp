// Frames drawn by OpenGL: the changed part goes up as a part of a texture, a shader scales it. Runs on OpenGL 2.1 and
// on OpenGL ES 2 and later.

#include <epoxy/gl.h>

#include <QOffscreenSurface>
#include <QOpenGLContext>
#include <QOpenGLWidget>

#include "display/canvas.h"

namespace display {

namespace {

constexpr const char* vertex_shader = R"(
attribute vec2 corner;
varying vec2 position;
void main()
{
    position = vec2(corner.x + 1.0, 1.0 - corner.y) * 0.5;
    gl_Position = vec4(corner, 0.0, 1.0);
}
)";

// sharpness: device pixels per guest pixel, at least 1. Inside a guest pixel its own colour; only across the seam between
// two a blend as wide as one device pixel. With 1 this is plain bilinear filtering.
constexpr const char* fragment_shader = R"(
varying vec2 position;
uniform sampler2D picture;
uniform vec2 size;
uniform vec2 sharpness;
uniform float light;
void main()
{
    vec2 at = position * size;
    vec2 from_centre = fract(at) - 0.5;
    vec2 flat_part = 0.5 - 0.5 / sharpness;
    vec2 blend = (from_centre - clamp(from_centre, -flat_part, flat_part)) * sharpness + 0.5;
    vec4 colour = texture2D(picture, (floor(at) + blend) / size);
    gl_FragColor = vec4(SWIZZLE(colour) * light, 1.0);
}
)";

constexpr GLfloat corners[]{-1, -1, 1, -1, -1, 1, 1, 1};

GLuint compile(GLenum kind, const QByteArray& source)
{
    const GLuint shader = glCreateShader(kind);
    const char* text = source.constData();
    glShaderSource(shader, 1, &text, nullptr);
    glCompileShader(shader);
    return shader;
}

class GlCanvas : public QOpenGLWidget, public Canvas {
public:
    explicit GlCanvas(QWidget* parent) : QOpenGLWidget(parent) { setUpdateBehavior(QOpenGLWidget::NoPartialUpdate); }
    ~GlCanvas() override
    {
        if (context())
            context()->disconnect(this);
        dropResources();
    }

    QWidget* widget() override { return this; }
    QString name() const override { return QStringLiteral("OpenGL"); }

    void show(std::shared_ptr<const engine::Frame> frame) override
    {
        m_picture.put(std::move(frame));
        if (!m_picture.damage().isEmpty())
            update();
    }

protected:
    void initializeGL() override
    {
        // The context is made anew when the widget moves to another window.
        connect(context(), &QOpenGLContext::aboutToBeDestroyed, this, &GlCanvas::dropResources);
        m_desktop = epoxy_is_desktop_gl();
        m_rowLength = m_desktop || epoxy_gl_version() >= 30;
        const QByteArray head = m_desktop ? "#version 120\n#define SWIZZLE(c) c.rgb\n"
                                          : "#version 100\nprecision highp float;\n#define SWIZZLE(c) c.bgr\n";
        const GLuint vertex = compile(GL_VERTEX_SHADER, head + vertex_shader);
        const GLuint fragment = compile(GL_FRAGMENT_SHADER, head + fragment_shader);
        m_program = glCreateProgram();
        glAttachShader(m_program, vertex);
        glAttachShader(m_program, fragment);
        glBindAttribLocation(m_program, 0, "corner");
        glLinkProgram(m_program);
        glDeleteShader(vertex);
        glDeleteShader(fragment);

        glGenBuffers(1, &m_corners);
        glBindBuffer(GL_ARRAY_BUFFER, m_corners);
        glBufferData(GL_ARRAY_BUFFER, sizeof corners, corners, GL_STATIC_DRAW);
        glGenTextures(1, &m_texture);
        glBindTexture(GL_TEXTURE_2D, m_texture);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
        glGetIntegerv(GL_MAX_TEXTURE_SIZE, &m_longestSide);
        m_textureSize = {};
    }

    void paintGL() override
    {
        glClearColor(0, 0, 0, 1);
        glClear(GL_COLOR_BUFFER_BIT);
        const QRect target = placement();
        if (target.isEmpty() || m_picture.size().width() > m_longestSide || m_picture.size().height() > m_longestSide)
            return;
        glBindTexture(GL_TEXTURE_2D, m_texture);
        upload();
        draw(target);
    }

private:
    void upload()
    {
        const engine::Frame& frame = *m_picture.frame();
        if (m_textureSize != m_picture.size()) {
            m_textureSize = m_picture.size();
            m_picture.touchAll();
            glTexImage2D(
                GL_TEXTURE_2D, 0, GL_RGBA, m_textureSize.width(), m_textureSize.height(), 0, GL_RGBA, GL_UNSIGNED_BYTE, nullptr);
        }
        QRect part = m_picture.damage();
        if (part.isEmpty())
            return;
        if (!m_rowLength)
            part = QRect(0, part.top(), m_textureSize.width(), part.height());
        glPixelStorei(GL_UNPACK_ALIGNMENT, 4);
        if (m_rowLength)
            glPixelStorei(GL_UNPACK_ROW_LENGTH, GLint(frame.width));
        glTexSubImage2D(
            GL_TEXTURE_2D, 0, part.x(), part.y(), part.width(), part.height(), m_desktop ? GL_BGRA : GL_RGBA,
            m_desktop ? GL_UNSIGNED_INT_8_8_8_8_REV : GL_UNSIGNED_BYTE,
            frame.pixels.data() + size_t(part.y()) * frame.width + size_t(part.x()));
        if (m_rowLength)
            glPixelStorei(GL_UNPACK_ROW_LENGTH, 0);
        m_picture.drawn();
    }

    void draw(const QRect& target)
    {
        const float across = float(target.width()) / float(m_textureSize.width());
        const float down = float(target.height()) / float(m_textureSize.height());
        const bool sharp = m_filter == Filter::sharp;
        const GLint filter = m_filter == Filter::nearest ? GL_NEAREST : GL_LINEAR;
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, filter);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, filter);

        const int height = devicePixels(size(), devicePixelRatioF()).height();
        glViewport(target.x(), height - target.y() - target.height(), target.width(), target.height());
        glUseProgram(m_program);
        glUniform1i(glGetUniformLocation(m_program, "picture"), 0);
        glUniform2f(glGetUniformLocation(m_program, "size"), float(m_textureSize.width()), float(m_textureSize.height()));
        glUniform2f(
            glGetUniformLocation(m_program, "sharpness"), sharp ? std::max(across, 1.0F) : 1.0F,
            sharp ? std::max(down, 1.0F) : 1.0F);
        glUniform1f(glGetUniformLocation(m_program, "light"), m_dimmed ? 0.5F : 1.0F);
        glBindBuffer(GL_ARRAY_BUFFER, m_corners);
        glEnableVertexAttribArray(0);
        glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, nullptr);
        glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
        glDisableVertexAttribArray(0);
        glBindBuffer(GL_ARRAY_BUFFER, 0);
    }

    void dropResources()
    {
        if (m_program == 0)
            return;
        makeCurrent();
        glDeleteProgram(std::exchange(m_program, 0));
        glDeleteBuffers(1, &m_corners);
        glDeleteTextures(1, &m_texture);
        doneCurrent();
    }

    bool m_desktop = true;
    bool m_rowLength = true;    // GL_UNPACK_ROW_LENGTH is there
    GLint m_longestSide = 0;
    GLuint m_program = 0, m_corners = 0, m_texture = 0;
    QSize m_textureSize;
};

bool isSoftware(const QByteArray& renderer)
{
    for (const char* name : {"llvmpipe", "softpipe", "swrast", "Software Rasterizer", "SwiftShader"})
        if (renderer.contains(name))
            return true;
    return false;
}

}

std::unique_ptr<Canvas> makeGlCanvas(QWidget* parent, bool insist)
{
    QOffscreenSurface surface;
    surface.create();
    QOpenGLContext context;
    if (!surface.isValid() || !context.create() || !context.makeCurrent(&surface))
        return nullptr;
    const QByteArray renderer(reinterpret_cast<const char*>(glGetString(GL_RENDERER)));
    const bool able = epoxy_gl_version() >= 20;
    context.doneCurrent();
    if (!able || (isSoftware(renderer) && !insist))
        return nullptr;
    return std::make_unique<GlCanvas>(parent);
}

}
